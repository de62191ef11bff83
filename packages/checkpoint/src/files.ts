// Opening files that strangers named: regular files only, never blocking, with a size cap.

import type { FileHandle } from 'node:fs/promises'
import { constants, open } from 'node:fs/promises'
import { CheckpointError, printable } from './error.ts'
import { type JsonLimits, type JsonObject, type JsonValue, parseStrict, plain } from './json.ts'

/** A file as its header's reader saw it; mapping it later checks that it is still the same. */
export interface CheckpointFile {
  readonly path: string
  readonly size: number
  readonly mtimeNs: bigint
}

/** Opens a regular file; a FIFO, device or directory is refused without waiting on it. */
export async function withFile<R>(
  path: string,
  use: (handle: FileHandle, file: CheckpointFile) => Promise<R>,
): Promise<R> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new CheckpointError(`${printable(path)}: cannot be opened: ${reason}`, {
      file: path,
      cause,
    })
  }
  try {
    const stat = await handle.stat({ bigint: true })
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a directory' : 'a special file'
      throw new CheckpointError(`${printable(path)}: expected a regular file, got ${what}`, {
        file: path,
      })
    }
    return await use(handle, { path, size: Number(stat.size), mtimeNs: stat.mtimeNs })
  } finally {
    await handle.close()
  }
}

/** Exactly `bytes` from `offset`, or an error that says how many there were. */
export async function readExactly(
  handle: FileHandle,
  file: CheckpointFile,
  offset: number,
  bytes: number,
): Promise<Uint8Array> {
  const out = new Uint8Array(bytes)
  let done = 0
  while (done < bytes) {
    const { bytesRead } = await handle.read(out, done, bytes - done, offset + done)
    if (bytesRead === 0)
      throw new CheckpointError(
        `${printable(file.path)}: expected ${bytes} bytes at ${offset}, got ${done}: the file is cut short`,
        { file: file.path },
      )
    done += bytesRead
  }
  return out
}

/** Strict UTF-8; a BOM is an error, not skipped. */
export function decodeUtf8(bytes: Uint8Array, file: string, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new CheckpointError(`${printable(file)}: ${what}: expected UTF-8, got other bytes`, {
      file,
      cause,
    })
  }
}

/** A JSON file with a strict parser: duplicate names, depth over 64 and odd numbers are errors. */
export async function readJson(
  path: string,
  maxBytes: number,
  limits?: JsonLimits,
): Promise<JsonValue> {
  return withFile(path, async (handle, file) => {
    if (file.size > maxBytes)
      throw new CheckpointError(
        `${printable(path)}: expected at most ${maxBytes} bytes, got ${file.size}`,
        { file: path },
      )
    const text = decodeUtf8(await readExactly(handle, file, 0, file.size), path, 'text')
    try {
      return plain(parseStrict(text, limits))
    } catch (cause) {
      throw new CheckpointError(`${printable(path)}: ${(cause as Error).message}`, {
        file: path,
        cause,
      })
    }
  })
}

export async function readJsonObject(
  path: string,
  maxBytes: number,
  limits?: JsonLimits,
): Promise<JsonObject> {
  const value = await readJson(path, maxBytes, limits)
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new CheckpointError(`${printable(path)}: expected an object`, { file: path })
  return value
}
