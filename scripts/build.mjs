// npm run build              everything up to a library that can be imported
// npm run build -- --dev     the same with the addon unoptimized: quicker to build, much slower to run
import { bootstrap, runMain } from './bootstrap.mjs'

await runMain(() => bootstrap({ profile: process.argv.includes('--dev') ? 'dev' : 'release' }))
