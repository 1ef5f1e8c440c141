import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import test from 'ava'
import { makeFolder } from './support/folder.js'

test('index.d.ts is what the sources say; `npm run types` writes it', async (t) => {
  const rolledUp = join(await makeFolder(t), 'index.d.ts')
  const file = resolve('api-extractor.json')
  const configuration = ExtractorConfig.loadFile(file)
  const { succeeded } = Extractor.invoke(
    ExtractorConfig.prepare({
      configObject: { ...configuration, dtsRollup: { enabled: true, untrimmedFilePath: rolledUp } },
      configObjectFullPath: file,
      packageJsonFullPath: resolve('package.json'),
    }),
    { localBuild: true, messageCallback: (message) => (message.handled = message.logLevel !== 'error') },
  )
  t.true(succeeded)
  t.is(await readFile('index.d.ts', 'utf8'), await readFile(rolledUp, 'utf8'))
})
