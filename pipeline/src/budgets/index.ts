export { type BudgetPublisherDeps, createBudgetPublisher } from './budget-publisher.js'
