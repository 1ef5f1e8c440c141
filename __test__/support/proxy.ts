import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createSocketServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ExecutionContext } from 'ava'

/** What a proxy was asked for. */
export interface ProxyRequest {
  /** `CONNECT` for a tunnel, else the method of a request that it passed on. */
  method: string
  /** `host:port` of a tunnel, else the whole URL without its query. */
  target: string
  /** User and password that came with it. */
  credentials: string | undefined
}

/** A proxy on this machine: passes on http requests and opens tunnels for https. */
export interface TestProxy {
  /** Host and port. */
  readonly place: string
  readonly requests: ProxyRequest[]
}

/** Starts a proxy that lets in everybody, or those with `credentials` (`user:password`); it ends with the test. */
export async function startProxy(t: ExecutionContext, credentials?: string): Promise<TestProxy> {
  const requests: ProxyRequest[] = []
  const admit = (incoming: IncomingMessage): boolean => {
    const given = /^Basic (.*)$/.exec(incoming.headers['proxy-authorization'] ?? '')?.[1]
    const known = given === undefined ? undefined : Buffer.from(given, 'base64').toString()
    const [target = ''] = (incoming.url ?? '').split('?')
    requests.push({ method: incoming.method ?? '', target, credentials: known })
    return credentials === undefined || known === credentials
  }
  const server = createServer((incoming, outgoing) => {
    if (admit(incoming)) passOn(incoming, outgoing)
    else outgoing.writeHead(407, { 'proxy-authenticate': 'Basic' }).end('who are you?')
  })
  const sockets = new Set<Duplex>()
  server.on('connect', (incoming: IncomingMessage, client: Duplex) => {
    sockets.add(client)
    if (admit(incoming)) tunnel(incoming, client)
    else client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { 'proxy-authorization': _, ...headers } = incoming.headers
  const onward = request(incoming.url ?? '', { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
}

function tunnel(incoming: IncomingMessage, client: Duplex): void {
  const { hostname, port } = new URL(`http://${incoming.url}`)
  const server = connect(Number(port), hostname, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    server.pipe(client).pipe(server)
  })
  for (const end of [client, server]) {
    end.on('error', () => {
      client.destroy()
      server.destroy()
    })
  }
}

/** A SOCKS 5 proxy (RFC 1928) for everybody and for addresses of four bytes; `requests` are its tunnels. */
export async function startSocksProxy(t: ExecutionContext): Promise<TestProxy> {
  const requests: ProxyRequest[] = []
  const sockets = new Set<Socket>()
  const server = createSocketServer(async (client) => {
    sockets.add(client)
    client.on('error', () => client.destroy())
    const [, methods = 0] = await take(client, 2)
    await take(client, methods)
    client.write(Buffer.from([5, 0]))
    const request = await take(client, 10)
    const [host, port] = [request.subarray(4, 8).join('.'), request.readUInt16BE(8)]
    requests.push({ method: 'CONNECT', target: `${host}:${port}`, credentials: undefined })
    const onward = connect(port, host, () => {
      client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
      onward.pipe(client).pipe(onward)
    })
    onward.on('error', () => client.destroy())
    client.on('close', () => onward.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** The next `count` bytes. */
async function take(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(count) as Buffer | null
    if (bytes !== null) return bytes
    await once(socket, 'readable')
  }
}
