// The files that say how text becomes ids. Parsed strictly, given meaning elsewhere.
import { access } from 'node:fs/promises'
import path from 'node:path'
import { decodeUtf8, readExactly, readJsonObject, withFile } from './files.ts'
import type { JsonObject } from './json.ts'

export interface TextFiles {
  readonly tokenizerJson: JsonObject
  readonly tokenizerConfig: JsonObject
  /** chat_template.jinja, which wins over tokenizer_config.json's. */
  readonly chatTemplate?: string
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

/**
 * tokenizer.json, tokenizer_config.json and chat_template.jinja of a folder; undefined without tokenizer.json,
 * which a model that is driven by ids does not need.
 */
export async function readTextFiles(folder: string): Promise<TextFiles | undefined> {
  const tokenizerPath = path.join(folder, 'tokenizer.json')
  if (!(await exists(tokenizerPath))) return undefined
  const tokenizerJson = await readJsonObject(tokenizerPath, 256 << 20)
  const configPath = path.join(folder, 'tokenizer_config.json')
  const tokenizerConfig = (await exists(configPath))
    ? await readJsonObject(configPath, 64 << 20)
    : {}
  const templatePath = path.join(folder, 'chat_template.jinja')
  if (!(await exists(templatePath))) return { tokenizerJson, tokenizerConfig }
  const chatTemplate = await withFile(templatePath, async (handle, file) => {
    const bytes = await readExactly(handle, file, 0, Math.min(file.size, 1 << 20))
    return decodeUtf8(bytes, templatePath, 'template')
  })
  return { tokenizerJson, tokenizerConfig, chatTemplate }
}
