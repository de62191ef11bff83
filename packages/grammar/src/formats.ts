// The formats of strings, as patterns. Each describes a part of what its standard allows; all that it allows is valid.

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4 = `${octet}(?:\\.${octet}){3}`
const h16 = '[0-9a-f]{1,4}'
const word = '[a-z0-9]+(?:-[a-z0-9]+)*'
// Host names have labels of at most 63 characters, 253 in all.
const label = '[a-z0-9]{1,12}(?:-[a-z0-9]{1,12}){0,3}'
// Days that every year has, then the 29th of February of leap years.
const leapYear = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const date = `(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|${leapYear}-02-29)`
const time =
  '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)'
const site = 'https?://[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[1-9]\\d{0,3})?'
const characters = "A-Za-z0-9._~!$&'()*+,;=:@"
const rest = `(?:\\?[${characters}/?-]*)?(?:#[${characters}/?-]*)?`

export const formats: ReadonlyMap<string, string> = new Map([
  ['date', date],
  ['time', time],
  ['date-time', `${date}T${time}`],
  [
    'duration',
    'P(?:\\d{1,4}W|\\d{1,4}D|\\d{1,4}M(?:\\d{1,4}D)?|\\d{1,4}Y(?:\\d{1,4}M(?:\\d{1,4}D)?)?|(?:\\d{1,4}D)?T(?:\\d{1,4}H(?:\\d{1,4}M)?(?:\\d{1,4}S)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S))',
  ],
  ['uuid', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'],
  ['email', `[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@${word}(?:\\.${word})+`],
  ['hostname', `${label}(?:\\.${label}){0,3}`],
  ['ipv4', ipv4],
  [
    'ipv6',
    `(?:(?:${h16}:){7}${h16}|::(?:${h16}(?::${h16}){0,6})?|${h16}::(?:${h16}(?::${h16}){0,5})?|${h16}(?::${h16}){1}::(?:${h16}(?::${h16}){0,4})?|${h16}(?::${h16}){2}::(?:${h16}(?::${h16}){0,3})?|${h16}(?::${h16}){3}::(?:${h16}(?::${h16}){0,2})?|${h16}(?::${h16}){4}::(?:${h16}(?::${h16})?)?|${h16}(?::${h16}){5}::(?:${h16})?)`,
  ],
  ['uri', `${site}(?:/[${characters}/-]*)?${rest}`],
  ['uri-reference', `(?:${site})?(?:/[${characters}-][${characters}/-]*)?${rest}`],
])
