export { type App, createApp } from './app.ts'
export { ApiError } from './errors.ts'
export type { LoadProgress, ServedModel } from './model.ts'
export { openApiDocument } from './openapi.ts'
export {
  defaultLimits,
  type Limits,
  type LogLevel,
  type PageFolder,
  type Prices,
  parsePrices,
  type ServerOptions,
} from './options.ts'
export { isLoopback, type ServeOptions, type ServerHandle, serve } from './serve.ts'
