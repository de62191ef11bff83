import type { ReactElement } from 'react'

/** A trench in cross-section, and a light sinking into it. */
export function Mark({ size = 24 }: { size?: number }): ReactElement {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path d="M2.5 6.5C11 6.5 10 27.5 16 27.5S21 6.5 29.5 6.5" />
      <circle cx="16" cy="14" r="2.7" />
    </svg>
  )
}
