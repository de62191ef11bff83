/** Milliseconds by a clock that nobody sets: for what lasts. The time of the day is for time stamps alone. */
export const elapsed = (): number => performance.now()
