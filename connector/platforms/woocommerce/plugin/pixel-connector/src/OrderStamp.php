<?php
/**
 * What was true at checkout, written on the order.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Stamps consent, click ids and the purchase's event on orders of the classic and the block checkout.
 */
final class OrderStamp {

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
	 * Adds the hooks. Classic and block checkout fire none of each other's. The classic one offers the order before its first save,
	 * too: values set there are written row by row.
	 */
	public function register(): void {
		Guard::on( 'woocommerce_checkout_order_created', array( $this, 'order_saved' ), 20 );
		Guard::on( 'woocommerce_store_api_checkout_update_order_meta', array( $this, 'order_saved' ), 20 );
		Guard::on( 'woocommerce_store_api_checkout_order_processed', array( $this, 'order_saved' ), 20 );
	}

	/**
	 * An order that has an id: the stamp, or a later state of a draft. Writes only what differs.
	 *
	 * @param mixed $order The order.
	 */
	public function order_saved( $order ): void {
		if ( ! $order instanceof \WC_Order || ! $this->connection->exists() || 0 === $order->get_id() ) {
			return;
		}
		if ( OrderMeta::set( $order, $this->values( $order ) ) ) {
			OrderMeta::save_quietly( $order );
		}
	}

	/**
	 * The whole stamp.
	 *
	 * @param \WC_Order $order The order.
	 */
	private function values( \WC_Order $order ): array {
		$visitor = new Visitor( $this->connection->setting( 'consent_policy' ) );
		$consent = $visitor->consent;
		$same    = OrderMeta::get( $order, 'consent' ) === $consent->status && OrderMeta::get( $order, 'consent_source' ) === (string) $consent->source;
		$at      = OrderMeta::get( $order, 'consent_at' );
		return array(
			'consent'        => $consent->status,
			'consent_at'     => $same && '' !== $at ? $at : $consent->at,
			'consent_source' => $consent->source,
			'gpc'            => $consent->gpc ? '1' : '0',
			'ttclid'         => $visitor->get( 'ttclid' ),
			'ttp'            => $visitor->get( 'ttp' ),
			'page_url'       => $visitor->get( 'page' ),
			'referrer'       => $visitor->get( 'ref' ),
			'visitor_id'     => $visitor->get( 'visitor' ),
			'country'        => $visitor->country,
		) + $this->purchase( $order );
	}

	/**
	 * The purchase as both halves send it. Made once: a changed setting touches later orders only.
	 *
	 * @param \WC_Order $order The order.
	 */
	private function purchase( \WC_Order $order ): array {
		$keep = static function ( string $name, string $value ) use ( $order ) {
			$known = OrderMeta::get( $order, $name );
			return '' === $known ? $value : $known;
		};
		$made = '' !== OrderMeta::get( $order, 'event_name' );
		return array(
			'event_name'   => $keep( 'event_name', (string) $this->connection->setting( 'purchase_event' ) ),
			'pixel_code'   => $made ? OrderMeta::get( $order, 'pixel_code' ) : (string) $this->connection->setting( 'pixel_code' ),
			'browser_sent' => $keep( 'browser_sent', '0' ),
			'event_id'     => Ids::purchase( $this->connection->public_id(), $order->get_id(), $order->get_order_key() ),
		);
	}
}
