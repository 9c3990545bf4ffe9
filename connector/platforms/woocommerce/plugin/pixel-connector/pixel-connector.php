<?php
/**
 * Plugin Name:          Pixel Connector for TikTok
 * Description:          Connects WooCommerce to a self-hosted connector: signed webhooks for carts and views, the visitor's consent on each order, and the pixel script on the storefront.
 * Version:              0.1.0
 * Requires at least:    6.4
 * Requires PHP:         7.4
 * Requires Plugins:     woocommerce
 * WC requires at least: 8.2
 * WC tested up to:      9.9
 * Author:               Connector contributors
 * License:              GPL-2.0-or-later
 * License URI:          https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:          pixel-connector
 * Domain Path:          /languages
 *
 * @package PixelConnector
 */

defined( 'ABSPATH' ) || exit;

define( 'PIXEL_CONNECTOR_VERSION', '0.1.0' );
define( 'PIXEL_CONNECTOR_FILE', __FILE__ );

require_once __DIR__ . '/src/autoload.php';

add_action(
	'before_woocommerce_init',
	static function () {
		if ( class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'custom_order_tables', PIXEL_CONNECTOR_FILE, true );
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'cart_checkout_blocks', PIXEL_CONNECTOR_FILE, true );
		}
	}
);

( new \PixelConnector\Plugin() )->register();
