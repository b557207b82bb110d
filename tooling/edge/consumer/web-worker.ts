import { judge, type Question } from './judge.ts'

addEventListener('message', ({ data }: MessageEvent<Question>) => {
  judge(data).then(
    (verdicts) => postMessage(verdicts),
    (error: unknown) => postMessage({ error: String(error) }),
  )
})
