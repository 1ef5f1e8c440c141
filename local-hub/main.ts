import { parseArgs } from 'node:util'
import { LocalHub, type LocalHubOptions } from './index.js'

const USAGE =
  'usage: node build/local-hub/main.js ROOT [--port PORT] [--throttle BYTES_PER_SECOND] [--latency MS] [--url-lifetime MS] [--unlimited]'

/**
 * Serves a folder until a signal comes or the parent process goes. Prints one JSON line: {"url":...,"cdnUrl":...}.
 * A parent with an IPC channel gets the request log in answer to any message.
 */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: 'string' },
      throttle: { type: 'string' },
      latency: { type: 'string' },
      'url-lifetime': { type: 'string' },
      unlimited: { type: 'boolean' },
    },
  })
  const [root] = positionals
  if (root === undefined) throw new Error(USAGE)
  const options: LocalHubOptions = { root }
  if (values.port) options.port = Number(values.port)
  if (values.throttle) options.throttle = Number(values.throttle)
  if (values.latency) options.latency = Number(values.latency)
  if (values['url-lifetime']) options.urlLifetime = Number(values['url-lifetime'])
  if (values.unlimited) options.quotas = { api: Infinity, resolvers: Infinity, window: 300 }
  const hub = await LocalHub.start(options)
  console.log(JSON.stringify({ url: hub.url, cdnUrl: hub.cdnUrl }))
  const stop = () => hub.close().then(() => process.exit(0))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  process.on('message', () => process.send?.(hub.log.records))
  process.once('disconnect', stop)
}

await main()
