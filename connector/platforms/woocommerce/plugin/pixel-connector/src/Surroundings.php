<?php
/**
 * Other plugins that matter to us.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Finds plugins that fire a TikTok pixel (or can), and page caches. Only active plugins and their options are read.
 */
final class Surroundings {

	/**
	 * Folder of a plugin, its name, and the option (with a key inside, for lists) that holds its TikTok pixel.
	 */
	private const PIXELS = array(
		'tiktok-for-business'                       => array( 'TikTok', 'tt4b_pixel_code', '' ),
		'pixelyoursite'                             => array( 'PixelYourSite', '', '' ),
		'pixelyoursite-pro'                         => array( 'PixelYourSite Pro', '', '' ),
		'woocommerce-google-adwords-conversion-tracking-tag' => array( 'Pixel Manager for WooCommerce', 'wgact_plugin_options', 'tiktok' ),
		'enhanced-e-commerce-for-woocommerce-store' => array( 'Conversios', 'ee_options', 'tiKtok_ads_pixel_id' ),
		'duracelltomi-google-tag-manager'           => array( 'GTM4WP (tag manager)', '', '' ),
		'gtm-kit'                                   => array( 'GTM Kit (tag manager)', '', '' ),
		'gtm-server-side'                           => array( 'Stape (tag manager)', '', '' ),
		'google-site-kit'                           => array( 'Site Kit (tag manager)', '', '' ),
		'insert-headers-and-footers'                => array( 'WPCode (pasted scripts)', '', '' ),
		'header-footer-code-manager'                => array( 'Header Footer Code Manager (pasted scripts)', '', '' ),
	);

	/**
	 * Folders of page cache plugins and their names.
	 */
	private const CACHES = array(
		'wp-rocket'                => 'WP Rocket',
		'litespeed-cache'          => 'LiteSpeed Cache',
		'w3-total-cache'           => 'W3 Total Cache',
		'wp-super-cache'           => 'WP Super Cache',
		'wp-fastest-cache'         => 'WP Fastest Cache',
		'sg-cachepress'            => 'SiteGround Optimizer',
		'cache-enabler'            => 'Cache Enabler',
		'breeze'                   => 'Breeze',
		'wp-optimize'              => 'WP-Optimize',
		'hummingbird-performance'  => 'Hummingbird',
		'nitropack'                => 'NitroPack',
		'surge'                    => 'Surge',
		'wp-cloudflare-page-cache' => 'Super Page Cache',
		'nginx-helper'             => 'Nginx Helper',
	);

	/**
	 * Other sources of a TikTok pixel: plugin, name, pixel_code (null where it cannot be told).
	 */
	public static function conflicts(): array {
		$found = array();
		foreach ( array_intersect_key( self::PIXELS, self::active_folders() ) as $folder => $known ) {
			$found[] = array(
				'plugin'     => $folder,
				'name'       => $known[0],
				'pixel_code' => self::pixel_code( $known[1], $known[2] ),
			);
		}
		return $found;
	}

	/**
	 * Names of the page caches found.
	 */
	public static function page_caches(): array {
		$found = array_values( array_intersect_key( self::CACHES, self::active_folders() ) );
		if ( ! $found && defined( 'WP_CACHE' ) && WP_CACHE && file_exists( WP_CONTENT_DIR . '/advanced-cache.php' ) ) {
			$found[] = 'advanced-cache.php';
		}
		return $found;
	}

	/**
	 * Folders of all active plugins, as keys.
	 */
	private static function active_folders(): array {
		$files = (array) get_option( 'active_plugins', array() );
		if ( is_multisite() ) {
			$files = array_merge( $files, array_keys( (array) get_site_option( 'active_sitewide_plugins', array() ) ) );
		}
		return array_flip( array_map( 'dirname', array_filter( $files, 'is_string' ) ) );
	}

	/**
	 * The pixel code that another plugin has stored.
	 *
	 * @param string $option Option.
	 * @param string $key    Key inside, at any depth, or an empty string.
	 */
	private static function pixel_code( string $option, string $key ): ?string {
		$value = '' === $option ? null : get_option( $option, null );
		if ( is_array( $value ) && '' !== $key ) {
			$found = null;
			array_walk_recursive(
				$value,
				static function ( $text, $name ) use ( $key, &$found ) {
					if ( false !== stripos( (string) $name, $key ) || 'pixel_id' === $name ) {
						$found = $found ?? $text;
					}
				}
			);
			$value = $found;
		}
		return is_string( $value ) && 1 === preg_match( '/\A[A-Z0-9]{10,40}\z/', $value ) ? $value : null;
	}
}
