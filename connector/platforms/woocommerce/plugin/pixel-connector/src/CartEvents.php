<?php
/**
 * Additions to the cart.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Tells each addition once: to the connector by WooCommerce's own queue, to the browser by a short-lived cookie.
 */
final class CartEvents {

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * What this request has added, for the browser.
	 *
	 * @var array
	 */
	private $added = array();

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		Guard::on( 'woocommerce_add_to_cart', array( $this, 'item_added' ), 20, 6 );
		Guard::on( 'woocommerce_add_to_cart_fragments', array( $this, 'fragments' ), 20 );
		Guard::on( 'woocommerce_created_customer', array( $this, 'customer_created' ), 20 );
	}

	/**
	 * An addition by form, AJAX or the Store API.
	 *
	 * @param string $key          Cart line.
	 * @param int    $product_id   Product.
	 * @param mixed  $quantity     Pieces.
	 * @param int    $variation_id Variation, or 0.
	 * @param mixed  $variation    Chosen attributes; not used.
	 * @param mixed  $line_data    Other data of the line.
	 */
	public function item_added( $key, $product_id = 0, $quantity = 1, $variation_id = 0, $variation = array(), $line_data = array() ): void {
		WebhookRows::load_those_of_the_cart();
		$wanted = has_action( Topics::HOOKS[ Topics::CART_ITEM_ADDED ] );
		if ( ! $this->connection->exists() || $this->is_part_of_a_bundle( $line_data ) || ( ! $wanted && ! $this->has_scripts() ) ) {
			return;
		}
		$pieces = max( 1, (int) ceil( (float) $quantity ) );
		$item   = Items::of_product( (int) $product_id, (int) $variation_id, $pieces );
		if ( null === $item ) {
			return;
		}
		$visitor  = new Visitor( $this->connection->setting( 'consent_policy' ) );
		$event_id = Ids::mint();
		$this->hand_over( $visitor, $event_id, $item );
		if ( $wanted ) {
			do_action( Topics::HOOKS[ Topics::CART_ITEM_ADDED ], EventBody::text( $visitor, array( 'item' => $item ), $event_id ) );
		}
	}

	/**
	 * The additions of this request beside the answer of WooCommerce's AJAX.
	 *
	 * @param mixed $fragments Fragments by selector.
	 * @return mixed
	 */
	public function fragments( $fragments ) {
		if ( is_array( $fragments ) && $this->added ) {
			$fragments[ Handover::CART_COOKIE ] = (string) wp_json_encode( $this->added );
		}
		return $fragments;
	}

	/**
	 * A new customer: the id of the registration for the browser. The connector hears of it by customer.created.
	 *
	 * @param mixed $customer_id Customer.
	 */
	public function customer_created( $customer_id ): void {
		if ( ! $this->connection->exists() || ! $this->has_scripts() || is_admin() ) {
			return;
		}
		$visitor = new Visitor( $this->connection->setting( 'consent_policy' ) );
		if ( $visitor->allows() ) {
			Handover::set( Handover::REGISTRATION_COOKIE, Ids::registration( $this->connection->public_id(), (int) $customer_id ) );
		}
	}

	/**
	 * Gives the browser the id, where something may be stored there.
	 *
	 * @param Visitor $visitor  Who.
	 * @param string  $event_id The id.
	 * @param array   $item     What was added.
	 */
	private function hand_over( Visitor $visitor, string $event_id, array $item ): void {
		if ( ! $this->has_scripts() || ! $visitor->allows() ) {
			return;
		}
		unset( $item['name'] );
		$addition    = array_merge( array( 'id' => $event_id ), $item );
		$this->added = Handover::append( $this->added, $addition );
		$all         = Handover::waiting();
		foreach ( $this->added as $entry ) {
			$all = Handover::append( $all, $entry );
		}
		Handover::set( Handover::CART_COOKIE, $all );
	}

	/**
	 * Whether the storefront has a script that would read it.
	 */
	private function has_scripts(): bool {
		return array() !== ( new ScriptTags() )->all();
	}

	/**
	 * Parts of a bundle are added one by one after the bundle itself, which is what the visitor added.
	 *
	 * @param mixed $line_data Data of the cart line.
	 */
	private function is_part_of_a_bundle( $line_data ): bool {
		return is_array( $line_data ) && array_intersect_key( $line_data, array_flip( array( 'bundled_by', 'composite_parent', 'mnm_container' ) ) );
	}
}
