import { CliError } from './failure.ts'

/**
 * All of a stream, whatever it holds.
 * @throws CliError `bad_input` when it is longer than `mostBytes`
 */
export async function readStream(
  stream: AsyncIterable<Uint8Array | string>,
  mostBytes: number,
  what: string,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const piece = Buffer.from(chunk)
    bytes += piece.length
    if (bytes > mostBytes) {
      throw new CliError('bad_input', `The ${what} is longer than ${mostBytes.toLocaleString('en')} bytes.`, {
        remedy: 'Give less, or check that it is the right input.',
      })
    }
    chunks.push(piece)
  }
  return Buffer.concat(chunks)
}
