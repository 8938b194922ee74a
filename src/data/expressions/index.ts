// Regular expressions from elsewhere, matched in time linear in the text; loads nothing else of the room.
export { regexFind } from "../tokenizer/regex.ts";
export { StepBudget } from "../tokenizer/step-budget.ts";
