import { serve } from './token-endpoint.mjs'

await serve()
