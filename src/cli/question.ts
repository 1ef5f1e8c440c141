import { createInterface } from 'node:readline/promises'
import type { Manifest } from '../index.js'
import type { Session } from './session.js'

/**
 * Asks a person at the terminal which of the quants to take, by number or name, several with commas between. Nothing or
 * the end of the input is no choice.
 */
export async function askQuants(session: Session, { quants }: Manifest): Promise<string[]> {
  const names = Object.keys(quants)
  for (;;) {
    const answer = await ask(session, 'Which one? Number or name, several with commas, nothing for none: ')
    const words = (answer ?? '').split(/[\s,]+/).filter(Boolean)
    const chosen = words.map((word) => choose(names, word))
    const wrong = words.filter((_, index) => chosen[index] === undefined)
    if (wrong.length === 0) return [...new Set(chosen.filter((name) => name !== undefined))]
    session.output.note(`Not one of them: ${wrong.join(', ')}`, 'yellow')
  }
}

/** A quant whose name is a number is found by that name first. */
function choose(names: string[], word: string): string | undefined {
  const named = names.find((name) => name.toLowerCase() === word.toLowerCase())
  return named ?? (/^\d+$/.test(word) ? names[Number(word) - 1] : undefined)
}

/** One line of input; undefined where the input has ended. */
async function ask(session: Session, question: string): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  // In this mode of the terminal Ctrl-C is a key, not a signal.
  lines.on('SIGINT', () => session.interrupt())
  let answer: string | undefined
  try {
    answer = await Promise.race([
      lines.question(question, { signal: session.signal }),
      new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined))),
    ])
    return answer
  } finally {
    lines.close()
    // No key has ended the line.
    if (answer === undefined) process.stderr.write('\n')
  }
}
