import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createMetrics, type MetricsServer, startMetricsServer } from '../src/index.ts'

const running: MetricsServer[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.close()
})
async function start(registry = createMetrics({ process: false }).registry): Promise<MetricsServer> {
  const server = await startMetricsServer({ registry, port: 0 })
  running.push(server)
  return server
}

describe('startMetricsServer', () => {
  it('serves the metrics in Prometheus’ own content type', async () => {
    const answer = await fetch((await start()).url)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.text()).toContain('countersign_token_issued_total{grant="sign_in",result="ok"} 0\n')
  })

  it('listens on loopback', async () => {
    expect((await start()).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  })

  it('answers HEAD without a body, and takes a query', async () => {
    const { url } = await start()
    const answer = await fetch(`${url}?name[]=x`, { method: 'HEAD' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(1000)
  })

  it.each([
    ['POST', '/metrics', 405],
    ['DELETE', '/metrics', 405],
    ['GET', '/', 404],
    ['GET', '/metrics/', 404],
    ['POST', '/debug', 404],
  ])('refuses %s %s with %i', async (method, path, status) => {
    const { url } = await start()
    const answer = await fetch(new URL(path, url), { method })
    expect(answer.status).toBe(status)
    expect((await answer.text()).length).toBeLessThan(100)
  })

  it('answers 500 without details when the metrics fail', async () => {
    const { url } = await start({
      contentType: 'text/plain',
      metrics: () => Promise.reject(new Error('hunter22')),
    })
    const answer = await fetch(url)
    expect([answer.status, await answer.text()]).toEqual([500, 'Metrics failed\n'])
  })

  it('says so when the port is taken', async () => {
    const port = Number(new URL((await start()).url).port)
    const registry = createMetrics({ process: false }).registry
    await expect(startMetricsServer({ registry, port })).rejects.toMatchObject({
      code: 'metrics_listen_failed',
      remedy: expect.stringContaining('port'),
    })
  })

  it('closes at once, open connections too', async () => {
    const server = await start()
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const ended = new Promise((resolve) => socket.once('close', resolve))
    await server.close()
    await ended
    await expect(fetch(server.url)).rejects.toThrow()
  })
})
