export * from '../../convex/people.ts'
