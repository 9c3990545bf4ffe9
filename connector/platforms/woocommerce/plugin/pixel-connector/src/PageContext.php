<?php
/**
 * What the page at hand is about.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Kind of page, product, search term, cart and order for the pixel script. Nothing of a single visitor on a page that a
 * page cache may keep.
 */
final class PageContext {

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
	 * The parts of the configuration that depend on the page.
	 */
	public function describe(): array {
		$kind  = self::kind();
		$parts = array( 'page' => $kind );
		switch ( $kind ) {
			case 'product':
				return $parts + self::product();
			case 'search':
				return $parts + array( 'search' => mb_substr( sanitize_text_field( get_search_query( false ) ), 0, 100 ) );
			case 'cart':
			case 'checkout':
				return $parts + self::cart( $kind );
			case 'order_received':
				return $parts + $this->order();
			default:
				return $parts;
		}
	}

	/**
	 * Kind of page. The thank-you page counts as checkout to WooCommerce, so it comes first.
	 */
	private static function kind(): string {
		$tests = array(
			'order_received' => 'is_order_received_page',
			'checkout'       => 'is_checkout',
			'cart'           => 'is_cart',
			'product'        => 'is_product',
			'search'         => 'is_search',
			'category'       => 'is_product_taxonomy',
			'account'        => 'is_account_page',
		);
		foreach ( $tests as $kind => $test ) {
			if ( function_exists( $test ) && $test() ) {
				return $kind;
			}
		}
		return function_exists( 'is_shop' ) && is_shop() ? 'category' : 'other';
	}

	/**
	 * The product of a product page.
	 */
	private static function product(): array {
		$id   = (int) get_queried_object_id();
		$item = Items::of_product( $id );
		if ( null === $item ) {
			return array();
		}
		unset( $item['quantity'] );
		return array( 'product' => $item );
	}

	/**
	 * The cart on cart and checkout pages, or the stage alone when the cart is not at hand.
	 *
	 * @param string $stage Cart or checkout.
	 */
	private static function cart( string $stage ): array {
		if ( function_exists( 'is_checkout_pay_page' ) && is_checkout_pay_page() ) {
			return array( 'checkout' => array( 'stage' => 'order_pay' ) );
		}
		$cart  = function_exists( 'WC' ) ? WC()->cart : null;
		$items = $cart instanceof \WC_Cart ? Items::of_lines( array_values( $cart->get_cart() ) ) : array();
		if ( ! $items ) {
			return array( 'checkout' => array( 'stage' => $stage ) );
		}
		return array(
			'checkout' => array(
				'stage'    => $stage,
				'value'    => Items::value( $items ),
				'currency' => get_woocommerce_currency(),
				'items'    => $items,
			),
		);
	}

	/**
	 * Order and purchase of the thank-you page, when the key in the address is the order's.
	 */
	private function order(): array {
		$parts = array( 'checkout' => array( 'stage' => 'order_received' ) );
		$order = OrderAccess::by_key( (int) get_query_var( 'order-received' ), self::key_in_address() );
		if ( null === $order ) {
			return $parts;
		}
		$parts['order'] = array(
			'id'  => $order->get_id(),
			'key' => $order->get_order_key(),
		);
		// The one time is kept for the case that a visitor who has refused changes their mind.
		$visitor  = new Visitor( $this->connection->setting( 'consent_policy' ) );
		$purchase = 'denied' === $visitor->consent->status ? null : ( new Purchase( $this->connection ) )->take( $order );
		return null === $purchase ? $parts : $parts + array( 'purchase' => $purchase );
	}

	/**
	 * The order key in the address of this page.
	 */
	private static function key_in_address(): string {
		// WooCommerce's own link carries the key; there is no nonce to check.
		return isset( $_GET['key'] ) ? sanitize_text_field( wp_unslash( $_GET['key'] ) ) : ''; // phpcs:ignore WordPress.Security.NonceVerification.Recommended
	}
}
