<?php
/**
 * The page that takes the browser to the owner's page.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A form that posts a single-use token, by itself or by its button. The token is in no address and in no history.
 */
final class EnterPage {

	/**
	 * Prints the whole page.
	 *
	 * @param string $address Where the form goes.
	 * @param string $token   The token.
	 */
	public static function render( string $address, string $token ): void {
		nocache_headers();
		header( 'Content-Type: text/html; charset=utf-8' );
		header( 'Referrer-Policy: no-referrer' );
		header( 'X-Frame-Options: DENY' );
		echo '<!doctype html><html ' . get_language_attributes() . '><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped
		echo '<meta name="robots" content="noindex"><title>' . esc_html__( 'Pixel Connector', 'pixel-connector' ) . '</title></head><body>';
		echo '<form id="pixel-connector-enter" method="post" action="' . esc_url( $address ) . '">';
		echo '<input type="hidden" name="token" value="' . esc_attr( $token ) . '">';
		echo '<p>' . esc_html__( 'Opening the owner\'s page…', 'pixel-connector' ) . '</p>';
		echo '<button type="submit">' . esc_html__( 'Continue', 'pixel-connector' ) . '</button></form>';
		wp_print_inline_script_tag( 'document.getElementById("pixel-connector-enter").submit();' );
		echo '</body></html>';
	}
}
