<?php
// The WP Consent API, for the tests that want it.
function wp_has_consent( $category ) { return 'allow' === ( $_COOKIE['wp_consent_' . $category ] ?? '' ); }
function wp_get_consent_type() { return 'optin'; }
