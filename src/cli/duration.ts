/** Seconds as people read them: `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(Math.ceil(seconds), 0)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return join(whole, 'min', 's')
  return join(Math.ceil(whole / 60), 'h', 'min')
}

function join(value: number, large: string, small: string): string {
  const rest = value % 60
  return `${Math.floor(value / 60)} ${large}${rest > 0 ? ` ${rest} ${small}` : ''}`
}

/** Seconds as a clock shows them, which takes little room: `0:45`, `3:20`, `2:05:00`. */
export function formatClock(seconds: number): string {
  const whole = Math.max(Math.ceil(seconds), 0)
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}
