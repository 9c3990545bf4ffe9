<?php
/**
 * Loads PixelConnector\Name from src/Name.php.
 *
 * @package PixelConnector
 */

defined( 'ABSPATH' ) || exit;

spl_autoload_register(
	static function ( $class_name ) {
		if ( 0 !== strpos( $class_name, 'PixelConnector\\' ) ) {
			return;
		}
		$path = __DIR__ . '/' . str_replace( '\\', '/', substr( $class_name, strlen( 'PixelConnector\\' ) ) ) . '.php';
		if ( is_file( $path ) ) {
			require_once $path;
		}
	}
);
