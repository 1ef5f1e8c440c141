import { access, readFile } from 'node:fs/promises'
import test from 'ava'

/** A test that a document names: its file, and its title or a part of it. */
interface Named {
  file: string
  title: string
}

/** The tests in the last column of each table that has such a column. */
function namedTests(line: string): Named[] {
  const [cell = ''] = line.split('|').slice(-2)
  return [...cell.matchAll(/`([\w./-]+\.(?:ts|rs|py))`: ([^;|]+)/g)].map(([, file = '', title = '']) => ({
    file,
    title: title.trim(),
  }))
}

for (const document of ['docs/security.md', 'docs/reliability.md']) {
  test(`every line of ${document} names tests, and all of them are there`, async (t) => {
    const sections = (await readFile(document, 'utf8')).split(/^## /m)
    const tables = sections.filter((section) => /\| tests \|$/m.test(section))
    t.true(tables.length > 2)
    for (const table of tables) {
      const rows = table
        .split('\n')
        .filter((line) => line.startsWith('| ') && !/^\| (---|.*\| tests \|$)/.test(line))
      t.true(rows.length > 0)
      for (const row of rows) {
        const named = namedTests(row)
        t.true(named.length > 0, row)
        for (const { file, title } of named) {
          await t.notThrowsAsync(access(file), file)
          t.true((await readFile(file, 'utf8')).includes(title), `${file}: ${title}`)
        }
      }
    }
  })
}
