// Runs before the first paint, so that a reader who chose a theme never sees the other one flash.
;(() => {
  let theme = 'system'
  try {
    theme = JSON.parse(localStorage.getItem('hadal.settings') ?? '{}').theme ?? 'system'
  } catch {}
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
})()
