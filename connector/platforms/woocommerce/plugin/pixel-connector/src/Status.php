<?php
/**
 * The state of this store, for the connector and for WooCommerce's system status.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Describes versions, settings and surroundings. Nothing secret, nothing of a person.
 */
final class Status {

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * The whole state. Its fields are listed in STOREFRONT.md, section 9.
	 */
	public function describe(): array {
		$known = $this->connection->to_array();
		return array(
			'plugin'          => PIXEL_CONNECTOR_VERSION,
			'woocommerce'     => defined( 'WC_VERSION' ) ? WC_VERSION : null,
			'wordpress'       => get_bloginfo( 'version' ),
			'php'             => PHP_VERSION,
			'permalinks'      => '' !== (string) get_option( 'permalink_structure' ),
			'home'            => home_url( '/' ),
			'https'           => 'https' === wp_parse_url( home_url(), PHP_URL_SCHEME ),
			'connected'       => $known['connected'],
			'installation_id' => $known['installation_id'],
			'public_id'       => $known['public_id'],
			'script_tags'     => ( new ScriptTags() )->all(),
			'topics'          => array_keys( Topics::HOOKS ),
			'conflicts'       => Surroundings::conflicts(),
			'page_cache'      => Surroundings::page_caches(),
			'currency'        => get_woocommerce_currency(),
			'decimals'        => wc_get_price_decimals(),
			'timezone'        => wp_timezone_string(),
			'clock'           => gmdate( 'Y-m-d\TH:i:s+00:00' ),
			'hpos'            => self::uses_order_tables(),
			'checkout'        => self::checkout(),
			'consent_api'     => function_exists( 'wp_has_consent' ),
			'geolocation'     => self::knows_countries(),
			'response_first'  => AfterResponse::is_possible(),
			'beacons'         => BeaconLog::totals() + array( 'breaker_until' => Breaker::read()['until'] ),
		);
	}

	/**
	 * Whether orders live in WooCommerce's own tables.
	 */
	private static function uses_order_tables(): bool {
		$class = '\Automattic\WooCommerce\Utilities\OrderUtil';
		return class_exists( $class ) && $class::custom_orders_table_usage_is_enabled();
	}

	/**
	 * Kind of checkout page: block, classic or unknown.
	 */
	private static function checkout(): string {
		$page = get_post( wc_get_page_id( 'checkout' ) );
		if ( ! $page instanceof \WP_Post ) {
			return 'unknown';
		}
		if ( has_block( 'woocommerce/checkout', $page ) ) {
			return 'block';
		}
		return has_shortcode( $page->post_content, 'woocommerce_checkout' ) || has_block( 'woocommerce/classic-shortcode', $page ) ? 'classic' : 'unknown';
	}

	/**
	 * Whether the store can tell a visitor's country: by MaxMind's database or a header of its proxy.
	 */
	private static function knows_countries(): bool {
		$maxmind = get_option( 'woocommerce_maxmind_geolocation_settings', array() );
		return ! empty( $maxmind['license_key'] ) || isset( $_SERVER['HTTP_CF_IPCOUNTRY'] ) || isset( $_SERVER['GEOIP_COUNTRY_CODE'] ) || isset( $_SERVER['HTTP_X_COUNTRY_CODE'] );
	}
}
