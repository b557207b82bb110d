import { expect, it } from 'vitest'
import { listen } from '../src/listen.ts'

it('lets a request under way end before it closes, and takes no new one', async () => {
  const { server, url, close } = await listen('127.0.0.1', 0)
  let answer = () => {}
  const arrived = new Promise<void>((resolve) => {
    server.on('request', (_request, response) => {
      answer = () => response.end('done')
      resolve()
    })
  })
  const response = fetch(url)
  await arrived
  const closed = close()
  await expect(fetch(url)).rejects.toThrow()
  answer()
  expect(await (await response).text()).toBe('done')
  await closed
  expect(server.listening).toBe(false)
})
