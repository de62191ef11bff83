export type { HadalProviderOptions } from './call.ts'
export { createHadal, type HadalProvider, type HadalSource } from './provider.ts'
