<?php
/**
 * Removes what the plugin has stored. Order meta stays unless asked for by PIXEL_CONNECTOR_REMOVE_ORDER_META in wp-config.php:
 * it holds the visitors' consent.
 *
 * @package PixelConnector
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

require_once __DIR__ . '/src/autoload.php';

\PixelConnector\Uninstall::run( defined( 'PIXEL_CONNECTOR_REMOVE_ORDER_META' ) && PIXEL_CONNECTOR_REMOVE_ORDER_META );
