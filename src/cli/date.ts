/** A moment in local time, the same in every language: `2026-11-28 17:12`. */
export function formatDate(moment: Date): string {
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 16).replace('T', ' ')
}
