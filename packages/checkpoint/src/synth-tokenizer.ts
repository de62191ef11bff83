// A byte-level tokenizer of 256 bytes and seven special tokens, with a template like R1's, for synthetic
// checkpoints: any text can be encoded, nothing is merged.
import type { JsonObject } from './json.ts'

const special = [
  '<｜begin▁of▁sentence｜>',
  '<｜end▁of▁sentence｜>',
  '<｜▁pad▁｜>',
  '<｜User｜>',
  '<｜Assistant｜>',
  '<think>',
  '</think>',
]

const template =
  "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% elif m['role'] == 'assistant' %}{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + eos_token }}{% else %}{{ m['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"

export function byteTokenizer(): { tokenizer: JsonObject; tokenizerConfig: JsonObject } {
  const vocab: Record<string, number> = {}
  let stand = 256
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    vocab[String.fromCodePoint(printable ? byte : stand++)] = special.length + byte
  }
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
  return {
    tokenizer: {
      version: '1.0',
      added_tokens: special.map((content, id) => ({
        id,
        content,
        ...flags,
        special: !content.includes('think'),
      })),
      normalizer: null,
      pre_tokenizer: {
        type: 'ByteLevel',
        add_prefix_space: false,
        trim_offsets: true,
        use_regex: false,
      },
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab, merges: [] },
    },
    tokenizerConfig: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: special[0] as string,
      eos_token: special[1] as string,
      pad_token: special[2] as string,
      clean_up_tokenization_spaces: false,
      chat_template: template,
    },
  }
}
