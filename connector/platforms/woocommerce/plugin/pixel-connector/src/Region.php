<?php
/**
 * Where consent is required before anything is sent or stored.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * The consent policy applied to a country.
 */
final class Region {

	/**
	 * The European Economic Area, the United Kingdom, Switzerland, and the EU's outermost regions that have own codes.
	 */
	// phpcs:disable WordPress.Arrays.ArrayDeclarationSpacing.ArrayItemNoNewLine -- a list of codes, not of entries.
	private const CONSENT_REQUIRED = array(
		'AT', 'BE', 'BG', 'HR', 'CY', 'CZ', 'DK', 'EE', 'FI', 'FR', 'DE', 'GR', 'HU', 'IE', 'IT', 'LV', 'LT', 'LU', 'MT', 'NL',
		'PL', 'PT', 'RO', 'SK', 'SI', 'ES', 'SE', 'IS', 'LI', 'NO', 'GB', 'UK', 'CH', 'GF', 'GP', 'MQ', 'RE', 'YT', 'MF', 'AX',
	);
	// phpcs:enable

	/**
	 * Whether consent must be there first. A country that is not known counts as one where it must.
	 *
	 * @param string      $policy  One of required, opt_out, by_region.
	 * @param string|null $country ISO 3166 alpha-2, or null.
	 */
	public static function requires_consent( string $policy, ?string $country ): bool {
		if ( 'opt_out' === $policy ) {
			return false;
		}
		return 'by_region' !== $policy || null === $country || in_array( $country, self::CONSENT_REQUIRED, true );
	}

	/**
	 * The visitor's country by the store's own geolocation database or its proxy's header; never by a call to a service.
	 */
	public static function of_visitor(): ?string {
		if ( ! class_exists( '\WC_Geolocation' ) ) {
			return null;
		}
		$place   = \WC_Geolocation::geolocate_ip( '', false, false );
		$country = strtoupper( (string) ( $place['country'] ?? '' ) );
		return 1 === preg_match( '/\A[A-Z]{2}\z/', $country ) && 'XX' !== $country ? $country : null;
	}
}
