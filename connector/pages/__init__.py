"""What every HTML page of ours stands on: templates, four languages, security headers, forms, cookies, charts."""
