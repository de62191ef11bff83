export * from './close.ts'
export * from './fake-model.ts'
export * from './golden.ts'
export * from './plain-model.ts'
