export declare function loadAddon(): unknown
