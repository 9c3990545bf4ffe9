"""The pure middle: what a shop did, what TikTok should hear, and every decision between the two."""
