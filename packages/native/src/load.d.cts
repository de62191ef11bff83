export declare function loadAddon(): unknown
export declare function findBeside(name: string): string | undefined
