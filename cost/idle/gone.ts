/** What was not charged for as long as this is gone, and nothing is left to do. Daily lines end a day late. Our choice. */
export const GONE_AFTER_HOURS = 48;
