export { createBudgetPublisher } from './budget-publisher.js'
