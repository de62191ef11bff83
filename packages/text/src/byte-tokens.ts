// From token strings to bytes: byte-level BPE writes each byte as one printable character, SentencePiece
// style vocabularies write ▁ for a space and <0xNN> for a lone byte.

/** The printable stand-in of each byte that GPT-2's byte-level BPE defined. */
function byteCharacters(): Map<string, number> {
  const map = new Map<string, number>()
  let next = 256
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    map.set(String.fromCodePoint(printable ? byte : next++), byte)
  }
  return map
}

const characters = byteCharacters()
const encoder = new TextEncoder()

export function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = []
  for (const c of token) {
    const byte = characters.get(c)
    if (byte === undefined) bytes.push(...encoder.encode(c))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

export function sentencePieceBytes(token: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)
  if (byte) return Uint8Array.of(Number.parseInt(byte[1] as string, 16))
  return encoder.encode(token.replaceAll('▁', ' '))
}
