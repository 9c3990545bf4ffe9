<?php
/**
 * Our topics among WooCommerce's own signed webhooks.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Makes the companion topics known to WooCommerce and gives their bodies.
 */
final class Topics {

	public const CART_ITEM_ADDED = 'cart.item_added';
	public const PRODUCT_VIEWED  = 'storefront.product_viewed';
	public const CONSENT_CHANGED = 'storefront.consent_changed';
	public const STANDARD_EVENT  = 'storefront.standard_event';

	/**
	 * Topic and the hook that fires it. The hook's argument is the body as JSON text.
	 */
	public const HOOKS = array(
		self::CART_ITEM_ADDED => 'pixel_connector_cart_item_added',
		self::PRODUCT_VIEWED  => 'pixel_connector_product_viewed',
		self::CONSENT_CHANGED => 'pixel_connector_consent_changed',
		self::STANDARD_EVENT  => 'pixel_connector_standard_event',
	);

	/**
	 * Adds the filters; to be called before WooCommerce loads its webhooks.
	 */
	public function register(): void {
		Guard::on( 'woocommerce_valid_webhook_resources', array( $this, 'resources' ) );
		Guard::on( 'woocommerce_valid_webhook_events', array( $this, 'events' ) );
		Guard::on( 'woocommerce_webhook_topic_hooks', array( $this, 'hooks' ) );
		Guard::on( 'woocommerce_webhook_topics', array( $this, 'labels' ) );
		Guard::on( 'woocommerce_webhook_payload', array( $this, 'payload' ), 10, 3 );
	}

	/**
	 * Resources that a topic may name.
	 *
	 * @param array $known Those that are known already.
	 */
	public function resources( $known ): array {
		return array_values( array_unique( array_merge( (array) $known, array( 'cart', 'storefront' ) ) ) );
	}

	/**
	 * Events that a topic may name.
	 *
	 * @param array $known Those that are known already.
	 */
	public function events( $known ): array {
		$ours = array( 'item_added', 'product_viewed', 'consent_changed', 'standard_event' );
		return array_values( array_unique( array_merge( (array) $known, $ours ) ) );
	}

	/**
	 * The hooks that fire each topic.
	 *
	 * @param array $known Those that are known already.
	 */
	public function hooks( $known ): array {
		$known = (array) $known;
		foreach ( self::HOOKS as $topic => $hook ) {
			$known[ $topic ] = array( $hook );
		}
		return $known;
	}

	/**
	 * The names in wp-admin's list of topics.
	 *
	 * @param array $known Those that are known already.
	 */
	public function labels( $known ): array {
		return array_merge(
			(array) $known,
			array(
				self::CART_ITEM_ADDED => __( 'Cart item added (Pixel Connector)', 'pixel-connector' ),
				self::PRODUCT_VIEWED  => __( 'Product viewed (Pixel Connector)', 'pixel-connector' ),
				self::CONSENT_CHANGED => __( 'Consent changed (Pixel Connector)', 'pixel-connector' ),
				self::STANDARD_EVENT  => __( 'Other storefront event (Pixel Connector)', 'pixel-connector' ),
			)
		);
	}

	/**
	 * The body of our topics: the hook's argument, decoded.
	 *
	 * @param mixed  $payload  What WooCommerce has made of it.
	 * @param string $subject  Resource of the topic.
	 * @param mixed  $argument The hook's argument.
	 * @return mixed
	 */
	public function payload( $payload, $subject = '', $argument = null ) {
		if ( ! in_array( $subject, array( 'cart', 'storefront' ), true ) || ! is_string( $argument ) ) {
			return $payload;
		}
		$body = json_decode( $argument, true );
		return is_array( $body ) && isset( $body['event_id'] ) ? $body : $payload;
	}
}
