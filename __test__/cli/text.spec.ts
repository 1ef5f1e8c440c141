import test from 'ava'
import { layoutLine } from '#dist/cli/bar.js'
import { formatClock, formatDuration } from '#dist/cli/duration.js'
import { formatPart, formatPercent, formatSize, parseSize } from '#dist/cli/size.js'
import { renderTable } from '#dist/cli/table.js'
import { nearest, truncate, truncatePath, widthOf, wrap } from '#dist/cli/text.js'

test('sizes are written as people read them', (t) => {
  t.deepEqual([0, 999, 1000, 1_234_567, 4_100_000_000].map(formatSize), [
    '0 B',
    '999 B',
    '1 kB',
    '1.2 MB',
    '4.1 GB',
  ])
  t.is(formatPart(400_000_000, 1_200_000_000), '400 MB of 1.2 GB')
  t.is(formatPart(1_100_000_000, 1_200_000_000), '1.1 of 1.2 GB')
})

test('100 % is what is complete', (t) => {
  t.is(formatPercent(999, 1000), '99%')
  t.is(formatPercent(1000, 1000), '100%')
  t.is(formatPercent(0, 0), '100%')
})

test('sizes are read with decimal and binary units, and as bytes', (t) => {
  t.deepEqual(['50GB', '500MiB', '1.5TB', '50g', '12 kB', '4096', '7B'].map(parseSize), [
    50e9,
    500 * 1024 ** 2,
    1.5e12,
    50e9,
    12_000,
    4096,
    7,
  ])
  for (const wrong of ['', 'GB', '-1GB', '1XB', '1iB', '0', '1e3', '99999999PB', '1,5GB']) {
    t.is(parseSize(wrong), undefined, wrong)
  }
})

test('times are rounded up, and never longer than needed', (t) => {
  t.deepEqual([0, 0.1, 59, 60, 200, 7200, 7260].map(formatDuration), [
    ...['0 s', '1 s', '59 s', '1 min', '3 min 20 s', '2 h', '2 h 1 min'],
  ])
  t.deepEqual([0, 45, 200, 7500].map(formatClock), ['0:00', '0:45', '3:20', '2:05:00'])
})

test('a text is shortened in its middle, by what it takes on a terminal', (t) => {
  t.is(truncate('onnx/model_quantized.onnx', 11), 'onnx/\u2026.onnx')
  t.is(truncate('short', 11), 'short')
  // Wide characters take two columns and are never cut in half.
  const wide = '\u6a21\u578b\u6a21\u578b\u6a21\u578b'
  for (let width = 0; width <= 12; width += 1) t.true(widthOf(truncate(wide, width)) <= width, `${width}`)
  t.is(truncate(wide, 12), wide)
})

test('a path loses its leading folders first', (t) => {
  t.is(truncatePath('onnx/model_q4.onnx', 18), 'onnx/model_q4.onnx')
  t.is(truncatePath('onnx/model_q4.onnx', 16), '\u2026/model_q4.onnx')
  t.is(truncatePath('a/b/model_q4.onnx', 16), '\u2026/model_q4.onnx')
  t.is(truncatePath('onnx/model_q4.onnx', 11), truncate('onnx/model_q4.onnx', 11))
})

test('a text is wrapped between words', (t) => {
  t.deepEqual(wrap('one two three', 7), ['one two', 'three'])
  t.deepEqual(wrap('https://example.org/long one', 7), ['https://example.org/long', 'one'])
})

test('the nearest name is one that is nearly the same', (t) => {
  t.is(nearest('acme/modle', ['acme/model', 'acme/other']), 'acme/model')
  t.is(nearest('q4_k_m', ['Q4_K_S', 'Q4_K_M']), 'Q4_K_M')
  t.is(nearest('something', ['else']), undefined)
})

const COLUMNS = [
  { title: 'repo', shrinks: true },
  { title: 'format', dispensable: 1 },
  { title: 'size', align: 'right' as const },
  { title: 'status' },
]
const ROWS = [
  ['acme/a-model-with-a-long-name', 'gguf', '4.1 GB', 'stored'],
  ['acme/b', 'onnx', '12 kB', '45% stored'],
]

test('a table without a limit shows everything', (t) => {
  const { head, lines } = renderTable(COLUMNS, ROWS)
  t.is(head, 'REPO                           FORMAT    SIZE  STATUS')
  t.deepEqual(lines, [
    'acme/a-model-with-a-long-name  gguf    4.1 GB  stored',
    'acme/b                         onnx     12 kB  45% stored',
  ])
})

test('a table that does not fit is narrowed, then loses what it can do without', (t) => {
  for (const limit of [57, 50, 40, 36, 28]) {
    const { head, lines } = renderTable(COLUMNS, ROWS, limit)
    for (const line of [head, ...lines]) t.true(widthOf(line) <= limit, `${limit}: ${line}`)
    t.is(head.includes('FORMAT'), limit >= 36)
    t.true(lines.every((line, index) => line.includes(ROWS[index]?.[2] ?? '')))
  }
})

test('a line of progress fits every terminal, and says first what matters', (t) => {
  const line = {
    name: 'acme/model Q4_K_M',
    loaded: 3e9,
    total: 4e9,
    facts: ['3 of 4 GB', '112 MB/s', '0:09 left'],
  }
  for (let columns = 1; columns <= 200; columns += 1) {
    t.true(widthOf(layoutLine(line, columns)) < Math.max(columns, 2), `${columns}`)
  }
  t.regex(layoutLine(line, 40), / 75% {2}0:09 left$/)
  t.regex(layoutLine(line, 80), / 75% {2}3 of 4 GB {2}112 MB\/s {2}0:09 left$/)
})
