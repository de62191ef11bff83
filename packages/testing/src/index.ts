export * from './close.ts'
export * from './golden.ts'
