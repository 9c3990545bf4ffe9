"""TikTok's dialect, pure: Events API payloads and replies, OAuth, pixel list."""
