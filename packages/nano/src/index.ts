// Where the embedded model lies on disk. Its README says what it can do and how that was measured.
import { fileURLToPath } from 'node:url'

/** Absolute path of the embedded checkpoint's folder. */
export const nanoPath: string = fileURLToPath(new URL('../model/', import.meta.url))
