export { type Charge, type PaymentProvider, type ProviderOptions, startPaymentProvider } from './payment-provider.ts'
export { type Job, type JobState, jobStates, type LedgerEntry } from './queue.ts'
export { type BillingOptions, startBilling } from './start-billing.ts'
