<?php
/**
 * Prints the registered scripts and their configuration.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Writes into the head of the storefront's pages. The contract is in STOREFRONT.md beside the plugin.
 */
final class Storefront {

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
	 * Adds the hook, early in the head: the script is asynchronous and should start soon.
	 */
	public function register(): void {
		Guard::on( 'wp_head', array( $this, 'print_head' ), 2 );
	}

	/**
	 * Prints configuration and scripts. The text is complete before its first letter is printed, so a failure prints nothing.
	 */
	public function print_head(): void {
		$tags = $this->connection->exists() ? ( new ScriptTags() )->all() : array();
		if ( ! $tags || is_preview() || is_customize_preview() ) {
			return;
		}
		$configuration = $this->encode( $this->configuration() );
		echo '<script type="application/json" id="pixel-connector-config">' . $configuration . "</script>\n"; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- JSON with <, >, & and quotes as \u escapes.
		foreach ( $tags as $tag ) {
			// Not enqueued: the attributes and the place in the head are part of the contract.
			printf(
				'<script async src="%1$s" data-public-id="%2$s" data-script-id="%3$d" data-cfasync="false" data-no-optimize="1"></script>' . "\n", // phpcs:ignore WordPress.WP.EnqueuedResources.NonEnqueuedScript
				esc_url( $tag['src'] ),
				esc_attr( $this->connection->public_id() ),
				(int) $tag['id']
			);
		}
	}

	/**
	 * The configuration of this page.
	 */
	public function configuration(): array {
		$connection = $this->connection;
		$whole      = array(
			'v'           => 1,
			'publicId'    => $connection->public_id(),
			'api'         => rest_url( 'pixel-connector/v1' ),
			'policy'      => $connection->setting( 'consent_policy' ),
			'viewsDirect' => (bool) $connection->setting( 'views_direct' ),
			'collect'     => $connection->connector_url() . '/collect/' . $connection->public_id(),
			'contentId'   => $connection->setting( 'content_id' ),
			'currency'    => get_woocommerce_currency(),
		);
		if ( '' !== $connection->setting( 'pixel_code' ) ) {
			$whole['pixelCode'] = $connection->setting( 'pixel_code' );
		}
		if ( array() !== $connection->setting( 'disabled_events' ) ) {
			$whole['disabledEvents'] = $connection->setting( 'disabled_events' );
		}
		// A page that cannot be described still gets its script: an odd product costs the event, not the pixel.
		$described = Guard::wrap( array( new PageContext( $connection ), 'describe' ) )();
		return $whole + ( is_array( $described ) ? $described : array( 'page' => 'other' ) );
	}

	/**
	 * JSON that cannot end the script element.
	 *
	 * @param array $value The configuration.
	 */
	private function encode( array $value ): string {
		return (string) wp_json_encode( $value, JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_UNESCAPED_SLASHES );
	}
}
