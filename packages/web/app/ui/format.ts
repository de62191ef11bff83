// Numbers and times as the page writes them.

/** "3 seconds", "1 minute 20 seconds"; what "Thought for …" says. */
export function spokenDuration(ms: number): string {
  if (ms < 1000) return 'less than a second'
  const seconds = Math.round(ms / 1000)
  const unit = (n: number, name: string) => `${n} ${name}${n === 1 ? '' : 's'}`
  if (seconds < 60) return unit(seconds, 'second')
  const minutes = Math.floor(seconds / 60)
  const rest = seconds % 60
  if (minutes < 60)
    return rest === 0
      ? unit(minutes, 'minute')
      : `${unit(minutes, 'minute')} ${unit(rest, 'second')}`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 === 0
    ? unit(hours, 'hour')
    : `${unit(hours, 'hour')} ${unit(minutes % 60, 'minute')}`
}

/** A running clock: "3.2 s", "1:20". */
export function clock(ms: number): string {
  if (ms < 60_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

const counts = new Intl.NumberFormat('en')
export const count = (n: number): string => counts.format(n)

/** A token count in few characters: 950, 4.1k, 164k. */
export function shortCount(n: number): string {
  if (n < 1000) return String(n)
  return n < 10_000 ? `${(n / 1000).toFixed(1).replace(/\.0$/, '')}k` : `${Math.round(n / 1000)}k`
}

export function shortDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

export function money(amount: number, currency: string): string {
  // Answers cost parts of a cent: two digits that mean something.
  const digits = amount >= 1 || amount <= 0 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(amount)))
  try {
    return new Intl.NumberFormat('en', {
      style: 'currency',
      currency,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }).format(amount)
  } catch {
    return `${amount.toFixed(digits)} ${currency}`
  }
}

export type AgeGroup = 'Today' | 'Yesterday' | 'Last 7 days' | 'Last 30 days' | 'Older'

export function ageGroup(time: number, now: number = Date.now()): AgeGroup {
  const midnight = new Date(now).setHours(0, 0, 0, 0)
  if (time >= midnight) return 'Today'
  const days = (midnight - time) / 86_400_000
  if (days <= 1) return 'Yesterday'
  if (days <= 7) return 'Last 7 days'
  return days <= 30 ? 'Last 30 days' : 'Older'
}
